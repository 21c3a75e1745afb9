// Slices of several volumes with a common cross-hair: `data.viewer` has their voxels, (X, Y, Z), one byte each.
function viewer() {
  const planes = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] }; // axes: right, down, through
  const slider = byId("slice");
  const at = data.viewer.place; // of the cross-hair, 0 to 1 along each axis
  const views = data.viewer.volumes.map((volume, number) => {
    const figure = document.querySelectorAll("#look .view")[number];
    const voxels = Uint8Array.from(atob(volume.voxels), (letter) => letter.charCodeAt(0));
    return { ...volume, voxels, figure, canvas: figure.querySelector("canvas") };
  });
  const axes = () => planes[document.querySelector('[name="plane"]:checked').value];
  const clipped = (value) => Math.min(1, Math.max(0, value));
  const voxel = (place, count) => Math.min(count - 1, Math.floor(place * count));

  function draw({ voxels, shape, extent, figure, canvas }) {
    const [right, down, through] = axes();
    const strides = [shape[1] * shape[2], shape[2], 1];
    const [width, height] = [shape[right], shape[down]];
    Object.assign(canvas, { width, height });
    canvas.style.aspectRatio = extent[right] / extent[down];
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const first = voxel(at[through], shape[through]) * strides[through];
    for (let row = 0, pixel = 0; row < height; row++) {
      const line = first + (down === 2 ? height - 1 - row : row) * strides[down]; // the third axis points up
      for (let column = 0; column < width; column++, pixel += 4) {
        image.data.fill(voxels[line + column * strides[right]], pixel, pixel + 3);
        image.data[pixel + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    figure.style.setProperty("--right", `${100 * at[right]}%`);
    figure.style.setProperty("--down", `${100 * (down === 2 ? 1 - at[down] : at[down])}%`);
  }

  function update() {
    const through = axes()[2];
    const count = views[0].shape[through];
    slider.max = count - 1;
    slider.value = voxel(at[through], count);
    byId("slice-value").textContent = `${Number(slider.value) + 1} of ${count}`;
    views.forEach(draw);
  }

  function move(axis, steps) {
    const count = views[0].shape[axis];
    at[axis] = (Math.min(count - 1, Math.max(0, voxel(at[axis], count) + steps)) + 0.5) / count;
    update();
  }

  function point({ canvas }, event) {
    const [right, down] = axes();
    const box = canvas.getBoundingClientRect();
    at[right] = clipped((event.clientX - box.x) / box.width);
    const place = clipped((event.clientY - box.y) / box.height);
    at[down] = down === 2 ? 1 - place : place;
    update();
  }

  for (const view of views) {
    view.canvas.addEventListener("pointerdown", (event) => {
      view.canvas.setPointerCapture(event.pointerId);
      point(view, event);
    });
    view.canvas.addEventListener("pointermove", (event) => event.buttons && point(view, event));
    // The page scrolls until a view was chosen by a click.
    view.canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== view.canvas) return;
      event.preventDefault();
      move(axes()[2], Math.sign(event.deltaY));
    }, { passive: false });
    view.canvas.addEventListener("keydown", (event) => {
      const [right, down, through] = axes();
      const below = down === 2 ? -1 : 1;
      const steps = {
        ArrowLeft: [right, -1], ArrowRight: [right, 1], ArrowUp: [down, -below], ArrowDown: [down, below],
        PageUp: [through, 1], PageDown: [through, -1],
      }[event.key];
      if (!steps) return;
      event.preventDefault();
      move(...steps);
    });
  }
  slider.addEventListener("input", () => {
    const through = axes()[2];
    move(through, slider.value - voxel(at[through], views[0].shape[through]));
  });
  for (const button of document.querySelectorAll('[name="plane"]')) button.addEventListener("input", update);
  update();
}

#!/usr/bin/env bash
# From the challenge's download to its submission archive, on a simulated download.
#
#   docs/crossmoda_walkthrough.sh [--tiny] FOLDER
#
# --tiny: few, coarse images and a short training, for two CPU cores; without it, the challenge's own geometry and
# nnU-Net's full training, for a GPU. Everything goes to FOLDER; with data of your own, begin at `localise`.
set -euo pipefail

scale=full region=() device=cuda configuration=3d_fullres
if [ "${1:-}" = --tiny ]; then
    shift
    scale=small region=(--spacing 1 1 1.5 --size 96 64 16) device=cpu configuration=3d_demo
fi
folder=$(realpath -m "${1:?the folder to write to}")
project=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder"
cd "$folder"
export nnUNet_raw=$folder/nnUNet_raw nnUNet_preprocessed=$folder/nnUNet_preprocessed nnUNet_results=$folder/nnUNet_results
export nnUNet_extTrainer
nnUNet_extTrainer=$(intrastyler trainer-path)${nnUNet_extTrainer:+:$nnUNet_extTrainer}
dataset=$nnUNet_raw/Dataset123_CrossMoDA2023 model=(-d 123 -c $configuration -f 0 -tr nnUNetTrainerIntraStyler)
mkdir -p "$nnUNet_raw"

intrastyler simulate --as-crossmoda download --scale $scale --seed 13

intrastyler crossmoda localise -i download -o cochleae -np 2
intrastyler crossmoda prepare -i download -d 123 --cochleae cochleae "${region[@]}" -np 2
nnUNetv2_plan_and_preprocess -d 123 -c 3d_fullres -np 2

if [ $scale = small ]; then
    # The demo's generator was trained at this voxel size, and its configuration trains fast on a CPU.
    export INTRASTYLER_GENERATOR=$project/pretrained/simcrossmoda.safetensors
    export INTRASTYLER_SETTINGS=$folder/settings.json nnUNet_compile=f nnUNet_n_proc_DA=1
    echo '{"num_epochs": 25, "num_iterations_per_epoch": 50, "num_val_iterations_per_epoch": 4}' >settings.json
    python - "$nnUNet_preprocessed/Dataset123_CrossMoDA2023/nnUNetPlans.json" <<'END'
import sys
from pathlib import Path
from intrastyler_nnunet.demo.stages import add_demo_configuration
add_demo_configuration(Path(sys.argv[1]))
END
fi
intrastyler add-target -d 123 -c $configuration -np 2
if [ $scale = full ]; then
    intrastyler pretrain -d 123 -c $configuration
fi
nnUNetv2_train 123 $configuration 0 -tr nnUNetTrainerIntraStyler -device $device
nnUNetv2_predict "${model[@]}" -i "$dataset/imagesTs" -o predictions -device $device --disable_tta

intrastyler crossmoda postprocess -i predictions -o cleaned
intrastyler crossmoda restore -i cleaned -r "$dataset/geometry" -o restored
intrastyler crossmoda submit -i restored -r download/crossmoda23_validation -o submission.zip
rm -rf container
intrastyler crossmoda container -m "$nnUNet_results/Dataset123_CrossMoDA2023/nnUNetTrainerIntraStyler__nnUNetPlans__$configuration" \
    -r "$dataset/geometry" -o container
intrastyler crossmoda score -p restored -g download/truth/validation -o scores.json
(cd "$project" && python -m benchmarks.localisation.put_back "$folder")

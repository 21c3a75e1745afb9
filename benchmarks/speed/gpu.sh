#!/usr/bin/env bash
# What one CUDA card does, measured within ten minutes:
#   benchmarks/speed/gpu.sh [RESULT.json]
# Pretraining steps and their peak memory (`gpu_steps`), translation against nnU-Net's own step (`step_cost`), a short
# training by the recipe `minutes` on simulated data (`gpu_training`). One result file has all of it and the card's name.
set -euo pipefail
cd "$(dirname "$0")/../.."
output=${1:-benchmarks/results/gpu.json}
if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "benchmarks/speed/gpu.sh: this machine has no CUDA card, expected one" >&2
  exit 2
fi
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
python -m benchmarks.speed.gpu_steps --seconds 240 -o "$parts/steps.json"
python -m benchmarks.speed.step_cost --scale small --repeats 3 -device cuda -o "$parts/translation.json"
python -m benchmarks.speed.gpu_training --seconds 120 -o "$parts/training.json"
python - "$parts" "$output" << 'END'
import json
import sys
from pathlib import Path

import torch

parts, output = map(Path, sys.argv[1:])
result = {"card": torch.cuda.get_device_name(), "torch": torch.__version__}
result |= {part.stem: json.loads(part.read_text()) for part in sorted(parts.glob("*.json"))}
output.write_text(json.dumps(result, indent=2) + "\n")
print(f"{result['card']}: {output}")
END

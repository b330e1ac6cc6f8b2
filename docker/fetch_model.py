"""Fetches a model into the Hugging Face hub's cache: ``python fetch_model.py MODEL_ID REVISION``.

The service finds it there under the model's own name and revision, without network.
"""

import sys
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.constants import HF_HUB_CACHE

# Safetensors, tokenizer and configuration; other formats of weights can hold code.
WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
UNWANTED_FILES = ["onnx/*", "openvino/*", "*/onnx/*", "data_config.json"]


def main() -> None:
    """Fetch, and make the revision the one that is found when none is named."""
    model_id, revision = sys.argv[1:]
    snapshot = Path(
        snapshot_download(
            model_id,
            revision=revision,
            allow_patterns=WANTED_FILES,
            ignore_patterns=UNWANTED_FILES,
        )
    )
    branch = Path(HF_HUB_CACHE, f"models--{model_id.replace('/', '--')}", "refs", "main")
    branch.parent.mkdir(exist_ok=True)
    branch.write_text(snapshot.name)


if __name__ == "__main__":
    main()

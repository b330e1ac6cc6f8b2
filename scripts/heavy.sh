# Installs what only scripts/test --all needs; sourced by it. What cannot be had here is skipped by
# its tests, which say why.

TORCH=2.13.0
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu

install_heavy() {
    install_torch && setup all,test,torch,postgres ||
        echo "torch could not be installed; its tests are skipped." >&2
    install_ray || echo "Ray could not be installed; its tests are skipped." >&2
    install_datasets ||
        echo "Hugging Face datasets could not be installed; its tests are skipped." >&2
    install_programs ||
        echo "Chromium or PostgreSQL could not be installed; their tests are skipped." >&2
}

# Usage: install_torch [PYTHON]
install_torch() {
    local index=() python=${1:-.venv/bin/python}
    "$python" -c "import torch" 2> /dev/null && return
    if curl --silent --fail --head --max-time 5 --output /dev/null "$TORCH_CPU_INDEX/"; then
        index=(--extra-index-url "$TORCH_CPU_INDEX")
    fi
    # "+cpu": the registry's default for Linux would bring gigabytes of CUDA. macOS has no such name.
    "$python" -m pip install --quiet --disable-pip-version-check "${index[@]}" \
        "torch==$TORCH$([ "$(uname)" = Linux ] && echo +cpu)"
}

# Not by setup: what it asks of pip must be had everywhere, and Ray has no package for some systems.
install_ray() {
    .venv/bin/python -c "import ray" 2> /dev/null && return
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint scripts/constraints.txt --only-binary ray ray
}

# Not in an extra: a person's training program needs it, Level does not.
install_datasets() {
    .venv/bin/python -c "import datasets" 2> /dev/null && return
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint scripts/constraints.txt datasets
}

install_programs() {
    if command -v chromium > /dev/null && ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1; then
        return
    fi
    command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] &&
        apt-get update -qq && apt-get install -qq -y chromium postgresql > /dev/null
}

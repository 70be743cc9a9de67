# Sourced by the other scripts: creates .venv and installs an extra of edgecls into it, once.
#
#   PYTHON   the Python to create .venv with; default: python3, or the newest of python3.14 ... python3.11 if it is too old

cd "$(dirname "${BASH_SOURCE[0]}")/.."

new_enough() {
    command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local python
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$python"; then
            echo "$python"
            return
        fi
    done
    echo "error: edgecls needs Python 3.11 or newer, found $(python3 --version 2>&1); install one, or choose one: PYTHON=/path/to/python3 $0" >&2
    return 1
}

# install EXTRA: install the pinned versions of that extra, unless pyproject.toml and the pins are unchanged
install() {
    local extra=$1 python stamp
    stamp=.venv/.edgecls-$extra
    if [ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ] && [ "$stamp" -nt scripts/constraints.txt ]; then
        return
    fi
    python=$(find_python)
    if [ ! -x .venv/bin/python ]; then
        echo "+ $python -m venv .venv" >&2
        if ! "$python" -m venv .venv; then
            rm -rf .venv
            echo "error: $python cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2
            return 1
        fi
    fi
    echo "+ .venv/bin/pip install -e '.[$extra]' --constraint scripts/constraints.txt" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$extra]" --constraint scripts/constraints.txt
    check_opencv
    touch "$stamp"
}

# opencv-python needs a few desktop libraries; on a server without them install the headless wheel instead
check_opencv() {
    if ! .venv/bin/python -c 'import cv2' 2>/dev/null; then
        echo "+ a desktop library that opencv-python needs is missing: installing opencv-python-headless instead" >&2
        .venv/bin/python -m pip uninstall --quiet --yes opencv-python
        .venv/bin/python -m pip install --quiet --disable-pip-version-check opencv-python-headless --constraint scripts/constraints.txt
    fi
}

# Make the environment .venv in the project's folder, or reuse the one that is there. Sourced, from that folder:
#     . tools/setup_env.sh requirements.txt [MORE.txt ...]

if [ ! -x .venv/bin/python ]; then
    python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
    version=$("${python:-false}" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    if [ "$version" != 3.11 ]; then
        echo "error: CPython 3.11 is needed, found '${python:-no python3}' (${version:-does not run});" \
            "install it or set PYTHON=/path/to/python3.11" >&2
        exit 1
    fi
    echo "Making .venv"
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "error: '$python -m venv' failed; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
. .venv/bin/activate

# Install what the arguments, those of pip install, ask for: by uv, or by pip where uv cannot be had or fails.
install_packages() {
    # uv does not read pip's settings; of these a mirror matters, which pip is often given where PyPI is slow
    mirror=${PIP_INDEX_URL:-$(python -m pip config get global.index-url 2>/dev/null || true)}
    if python -m uv --version >/dev/null 2>&1 ||
        python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1' 2>/dev/null; then
        UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${mirror:-https://pypi.org/simple}} \
            python -m uv pip install --quiet --python .venv/bin/python "$@" && return
        echo "uv failed, installing with pip" >&2
    fi
    python -m pip install --quiet --disable-pip-version-check "$@"
}

earlier=() # what one file asks for must not change what those before it have bounded
for requirements in "$@"; do
    # the checksum left behind by a complete installation tells whether there is anything to do
    stamp=.venv/installed-$(sha256sum "$requirements" | cut -c 1-16)
    if [ ! -e "$stamp" ]; then
        echo "Installing $requirements (a minute or two the first time)"
        install_packages -r "$requirements" "${earlier[@]}"
        touch "$stamp"
    fi
    earlier+=(-c "$requirements")
done

# Bare machines lack two system libraries that wheels expect; neither needs the system's package manager.
# OpenCV's ordinary wheel loads libGL, which a machine without a desktop has not; the headless one does without.
if ! python -c 'import cv2' 2>/dev/null; then
    opencv=$(python -c 'from importlib.metadata import version; print(version("opencv-python"))')
    echo "Installing opencv-python-headless: this machine has no libGL"
    python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
        "opencv-python-headless==$opencv"
fi

# Paddle loads libgomp, GCC's OpenMP; scikit-learn, which paddlehub brings in, carries a copy under another name.
if ! python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
    echo "Lending scikit-learn's libgomp to Paddle: this machine has none"
    mkdir -p "$VIRTUAL_ENV/lib/borrowed"
    ln -sf "$(ls "$VIRTUAL_ENV"/lib/python3.11/site-packages/scikit_learn.libs/libgomp*.so* | head -n 1)" \
        "$VIRTUAL_ENV/lib/borrowed/libgomp.so.1"
    echo 'export LD_LIBRARY_PATH="$VIRTUAL_ENV/lib/borrowed${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"' \
        >>.venv/bin/activate
    . .venv/bin/activate
fi

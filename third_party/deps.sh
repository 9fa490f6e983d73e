#!/bin/sh
# Install Debian packages that are missing: deps.sh [demo] [build] [check] [mpi] [ports] [PACKAGE ..]
#   demo: the least that compiles, and python3 for its table; build: what all formats of recordings need besides; check:
#   what the tests need besides those; mpi: what `make MPI=1` needs besides; ports: compilers for other machines, systems
#   and C libraries, and what runs their programs (docs/PORTING.md, where the names are checked, too)
# Where the system has no dpkg it names them.
set -eu
demo="gcc make pkg-config libc6-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libgsl-dev libyaml-dev
libjansson-dev librandom123-dev libmd-dev zlib1g-dev libjpeg-dev libpng-dev libtiff-dev libwebp-dev libzip-dev python3"
build="libmatio-dev liblz4-dev libzstd-dev libhdf5-dev"
check="check libsubunit-dev python3-venv"
mpi="libopenmpi-dev openmpi-bin"
ports="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user musl-tools gcc-mingw-w64-x86-64-posix wine wine64"
packages="" clang=""
for word in "$@"; do
    case $word in
    demo) packages="$packages $demo" ;;
    build) packages="$packages $demo $build" ;;
    check) packages="$packages $demo $build $check" clang=yes ;;
    mpi) packages="$packages $mpi" ;;
    ports) packages="$packages $ports" ;;
    *) packages="$packages $word" ;;
    esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this system has no dpkg; install the equivalents of these Debian packages:" $packages >&2
    exit 1
fi

# Those of its arguments that are not installed.
missing() {
    for p; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q "install ok installed" || printf ' %s' "$p"
    done
}

sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
fi
updated=""

# install PACKAGE ..: an error names them
install() {
    echo "deps: installing $*"
    [ -z "$sudo" ] || command -v sudo >/dev/null 2>&1 || { echo "deps: not root and no sudo; install as root: $*" >&2; return 1; }
    [ -n "$updated" ] || $sudo apt-get update -q >/dev/null || { echo "deps: apt-get update failed; needed: $*" >&2; return 1; }
    updated=yes
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null ||
        { echo "deps: apt-get install failed; install by hand: $*" >&2; return 1; }
}

# shellcheck disable=SC2046,SC2086 # lists of words
{
    set -- $(missing $packages)
    [ $# = 0 ] || install "$@"
    # The second compiler is not needed: its tests are skipped without. Its sanitizers have its version in their name.
    if [ -n "$clang" ]; then
        set -- $(missing clang)
        [ $# = 0 ] || install "$@" || exit 0
        version=$(clang -dumpversion | cut -d. -f1)
        echo 'int main(void) { return 0; }' | clang -fsanitize=address,undefined,fuzzer-no-link -x c -o /dev/null - 2>/dev/null ||
            install "libclang-rt-$version-dev" || exit 0
    fi
}

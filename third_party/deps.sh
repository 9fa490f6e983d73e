#!/bin/sh
# Install the packages that the build and the tests need and that are missing.
# So are those that its arguments name. Debian and Ubuntu; elsewhere it names them and what they are for.
set -eu
packages="gcc make pkg-config libc6-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libgsl-dev
check libsubunit-dev libyaml-dev libjansson-dev librandom123-dev libmd-dev zlib1g-dev libmatio-dev
libjpeg62-turbo-dev libpng-dev libzip-dev python3 python3-venv clang libclang-rt-14-dev $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this system has no dpkg; install the equivalents of these Debian packages:" $packages >&2
    exit 1
fi
missing=""
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q "install ok installed" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "deps: installing$missing"
sudo=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "deps: not root and no sudo; install as root:$missing" >&2; exit 1; }
    sudo=sudo
fi
$sudo apt-get update -q >/dev/null || { echo "deps: apt-get update failed; needed:$missing" >&2; exit 1; }
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null ||
    { echo "deps: apt-get install failed; install by hand:$missing" >&2; exit 1; }

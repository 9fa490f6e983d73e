#!/bin/sh
# Install the wheel in a fresh environment of each Python and run what the documents say there:
#   wheel.sh WHEEL FOLDER [PYTHON ..]    environments in FOLDER
#   wheel.sh --list                      the Pythons that are taken where none is named: of each version from 3.9 on the
#                                        first of PATH that can make environments
# NumPy comes from PyPI; where it cannot be had, that Python is skipped, but not where CI=true.
set -u
cd "$(dirname "$0")/.."

pythons() {
    seen=" "
    IFS=:
    for folder in $PATH; do
        for python in "$folder"/python3 "$folder"/python3.[0-9] "$folder"/python3.[0-9][0-9]; do
            [ -x "$python" ] || continue
            version=$("$python" -c 'import sys, venv, ensurepip
print("%d.%d" % sys.version_info[:2])
sys.exit(sys.version_info < (3, 9))' 2>/dev/null) || continue
            case $seen in *" $version "*) continue ;; esac
            seen="$seen$version "
            echo "$python"
        done
    done
}

if [ "$1" = --list ]; then
    pythons
    exit 0
fi
wheel=$1 folder=$2 bad=0
shift 2
[ $# != 0 ] || { IFS='
'; set -- $(pythons); unset IFS; }
[ $# != 0 ] || { echo "wheel: no Python on PATH can make environments (Debian: python3-venv)" >&2; exit 1; }
rm -rf "$folder"
for python in "$@"; do
    at=$folder/$(basename "$python")
    rm -rf "$at"
    "$python" -m venv "$at" || { echo "wheel: $python cannot make an environment" >&2; bad=1; continue; }
    if "$at/bin/pip" install -q --disable-pip-version-check "$wheel"; then
        "$at/bin/python" tests/python/wheel_check.py . || { echo "wheel: $python: failed" >&2; bad=1; }
    else
        echo "SKIP: the wheel with $python: NumPy could not be installed" >&2
        [ "${CI:-}" != true ] || bad=1
    fi
done
exit $bad

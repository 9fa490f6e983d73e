#!/bin/sh
# Make the virtual environment of `make bench`: venv.sh PYTHON FOLDER REQUIREMENTS
# Never fails: FOLDER/missing.txt says which packages could not be installed, and why.
set -u
python=$1 folder=$2 list=$3
rm -rf "$folder"
if ! "$python" -m venv "$folder"; then
    mkdir -p "$folder"
    echo "all	could not make a virtual environment with $python" > "$folder/missing.txt"
    touch "$folder/ok"
    exit 0
fi
: > "$folder/missing.txt"
grep -v '^ *\(#\|$\)' "$list" | while read -r package flag; do
    echo "installing $package"
    "$folder/bin/pip" install -q --disable-pip-version-check ${flag:+--$flag} "$package" > "$folder/log.txt" 2>&1 ||
        printf '%s\t%s\n' "${package%%=*}" "$(grep -i error "$folder/log.txt" | tail -n 1)" >> "$folder/missing.txt"
done
touch "$folder/ok"

#!/bin/sh
# The wheel on a Debian that has nothing else: minimal packages and python3, no compiler, no ffmpeg,
# no network. Needs root and mmdebstrap; `make test-debian` calls it.
#
#   bare_debian.sh WHEEL JOB FOLDER
#
# JOB is what `base_install.py make` left. FOLDER keeps the Debian, so that a second run is short.
set -eu
wheel=$1 job=$2 folder=$3
here=$(dirname "$0")
debian=$folder/debian
mkdir -p "$folder/wheels"
if [ ! -e "$debian/etc/debian_version" ]; then
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv bookworm "$debian"
fi
# Outside, since the Debian has no network; for its Python, which may not be ours.
python=$(chroot "$debian" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
${PIP:-pip} download --quiet --dest "$folder/wheels" --only-binary :all: \
    --python-version "$python" "$wheel"
rm -rf "$debian/tmp/tsr"
mkdir -p "$debian/tmp/tsr"
cp -r "$job" "$debian/tmp/tsr/job"
cp -r "$folder/wheels" "$debian/tmp/tsr/wheels"
cp "$wheel" "$debian/tmp/tsr/wheels"
cp "$here/base_install.py" "$debian/tmp/tsr"
mount -t proc proc "$debian/proc"
trap 'umount "$debian/proc"' EXIT
unshare --net chroot "$debian" /bin/sh -eu <<'INSIDE'
cd /tmp/tsr
export HOME=/tmp/tsr
python3 -m venv venv
venv/bin/pip install --quiet --no-index --find-links wheels zero-shot-tsr
# Every shared library that the packages brought finds all that it needs, but for two of numba's three
# thread pools, of which our kernels use none.
find venv -name '*.so*' -type f ! -name 'tbbpool*' ! -name 'omppool*' -exec ldd {} + 2>/dev/null |
    grep 'not found' && exit 1
for command in venv/bin/tsr venv/bin/tsr-*; do
    "$command" --help > /dev/null
done
venv/bin/tsr doctor
(cd job && ../venv/bin/tsr-run tiny.onnx slow.mkv -o fast.mkv && ../venv/bin/tsr-report run.json)
venv/bin/python base_install.py check job
echo "Debian $(cat /etc/debian_version), $(dpkg -l | grep -c ^ii) packages, $(python3 --version)"
INSIDE

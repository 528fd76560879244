#!/bin/sh
# Attack runs for hours, and print what came of it: all.sh BIN
#
# Random kills and kills at every point, zombies, two controllers, damage, failing disks, a hundred
# runs on a pretended cluster, an operator without its rights, real images, the science of whole
# problems, fuzzing. The tables are those of docs/reliability.md and docs/kubernetes.md. Goes on after
# a failure, and fails at the end.
set -u
bin=$1
here=$(dirname "$0")
failed=0

attack() {
    echo
    echo "== $*"
    "$@" || failed=1
}

attack "$bin/python" "$here/kills.py" --kills "${KILLS:-500}" --rounds "${ROUNDS:-2}"
attack env EVERY=1 "$bin/python" -m pytest "$here/../faults/test_death_at_every_call.py" --numprocesses=2
attack "$bin/python" "$here/zombies.py" --returns "${RETURNS:-200}"
attack "$bin/python" "$here/disks.py"
attack "$bin/python" "$here/fleet.py"
attack "$bin/python" "$here/rights.py"
attack "$bin/python" "$here/images.py"
attack "$bin/python" "$here/../tools/turn_off_safeguards.py"
attack "$bin/python" "$here/lorenz.py"
attack "$bin/python" "$here/sessions.py"
attack "$bin/python" "$here/chaotic.py"
# Only here: it has no wheels for some machines that can do all the rest.
"$bin/python" -c 'import atheris' 2>/dev/null || "$bin/uv" pip install --quiet --python "$bin/python" atheris
attack "$bin/python" "$here/fuzz/run.py" "${FUZZ_SECONDS:-600}"
exit $failed

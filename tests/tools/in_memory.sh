#!/bin/sh
# Run a command with its temporary files in memory, where there is room: in_memory.sh COMMAND…
#
# Tests write some hundred thousand small files, and wait for a disk a third of their time.
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $4}')
if [ "${room:-0}" -gt 4000000 ]; then
    TMPDIR=$(mktemp -d /dev/shm/autolfads-tests.XXXXXX)
    export TMPDIR
    chmod 711 "$TMPDIR"  # as a disk's: some tests become another user
    trap 'rm -rf "$TMPDIR"' EXIT
    trap 'exit 130' INT TERM
fi
"$@"

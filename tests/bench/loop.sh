#!/usr/bin/env bash
# The shell loop around the openstack client that people have today.
#   loop.sh POOL TYPE POLL ID …
set -euo pipefail
pool=$1 type=$2 poll=$3
shift 3

await() {
    local state
    while true; do
        state=$(openstack share show "$1" -f value -c task_state)
        [[ $state != "$2" ]] || return 0
        [[ $state != *error ]] || return 1
        sleep "$poll"
    done
}

for share in "$@"; do
    openstack share migration start "$share" "$pool" --new-share-type "$type" \
        --preserve-metadata False --preserve-snapshots False --writable False --nondisruptive False
    await "$share" migration_driver_phase1_done
    openstack share migration complete "$share"
    await "$share" migration_success
done

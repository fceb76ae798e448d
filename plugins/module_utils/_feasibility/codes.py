# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of every reason why something can't move, or should be known before."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason

CODES: dict[str, str] = {
    # The share itself.
    "replicas": "A share has replicas; Manila migrates only shares without, drivers perhaps share servers.",
    "share_group": "The share belongs to a share group; Manila does not migrate its members.",
    "status": "The status of a share is not 'available', or that of a share server not 'active'.",
    "busy": "The task state says that something works on it.",
    "access_rules_error": "The access rules of the share are in error.",
    "soft_deleted": "The share is in the recycle bin.",
    "instances": "A share has more instances than it should, or one in the wrong state: a leftover.",
    "snapshots": "There are snapshots that this way of migrating can't keep, or that are not available.",
    "no_share_type": "The share has no share type, or one that is not known.",
    "size_limit": "The new share type does not allow shares of this size.",
    "quota": "The quota of the project has no room for a second copy with the new share type.",
    "qos_type": "The share type names a QoS type that does not exist.",
    "share_network": "A share network is missing, must not be there, or is not active.",
    # The mechanism.
    "host_forced": "Host-assisted migration is forced, so no driver is asked.",
    "driver_only": "Something is asked for that only drivers can do.",
    "data_service_missing": "No manila-data service is registered, and only it copies files.",
    "data_service_down": "No manila-data service gives a sign of life.",
    "data_access": "The Data Service can't mount shares of this protocol, or needs an option for it.",
    # Its replicas.
    "replica_state": "A replica of the share is in error, in the middle of something, or one too many.",
    "no_active_replica": "The share has no active replica, or one that the scheduler doesn't consider.",
    "second_replica": "Another replica of the share, also at the source, is moved first: run it again then.",
    "replica_there": "The pool holds a replica of the share already.",
    "replication_domain": "The pool is not in the replication domain of the share's active replica.",
    # The share server.
    "encryption": "The share server has an encryption key; for a share a warning: it loses its key.",
    "no_shares": "The share server has no shares.",
    "unfinished_destination": "A destination of an older migration is still migrating.",
    "same_place": "The share server is there already, in the same share network.",
    "same_backend_name": "Another host's back end of the same name, which Manila takes for the same.",
    "share_network_subnet": "The share network has no subnet in the destination's zone.",
    "not_writable": "The shares shall stay writable, and the driver can't do that.",
    "not_nondisruptive": "Clients shall stay connected, and the driver can't do that.",
    "not_preserve_snapshots": "Snapshots shall be kept, and the driver can't do that.",
    "incompatible": "The driver says no, and not why.",
    "refused": "Manila's own check refuses it.",
    # What is asked for.
    "options_conflict": "Options that exclude each other.",
    "excluded_share": "A share is excluded, and its share server moves with all its shares or not at all.",
    # The destination.
    "pool_unknown": "There is no such pool.",
    "same_pool": "The share is there already.",
    "service_missing": "No manila-share service is registered for the destination, or the source.",
    "service_disabled": "The destination's manila-share service is disabled.",
    "service_down": "The manila-share service of the destination, or the source, gives no sign of life.",
    "type_pinned": "The share type is pinned to another back end; for a share server a warning.",
    "share_servers": "What moves and the destination differ in driver_handles_share_servers.",
    "protocol": "The pool does not offer the protocol of the share.",
    "capability": "The pool lacks a capability that the share type asks for.",
    "availability_zone": "The share type is not allowed in the destination's availability zone.",
    "no_capacity": "There is no room for it.",
    "capacity_invalid": "The pool reports capacities that Manila's scheduler can't work with.",
    "scheduler_down": "No manila-scheduler is up, and only it knows the pools.",
    "no_destination": "No place is left where it could go.",
    "group_incomplete": "A member of its cutover group can't move.",
    # Migrations that exist already.
    "migrating_elsewhere": "It already migrates to a place that is not allowed.",
    "destination_unknown": "It just began to migrate, or is being cancelled; the place doesn't show.",
    "stuck": "Its migration came to a halt, or failed at the end, and needs a repair.",
    "leftover": "An instance at the source that serves no share from there.",
    # Warnings.
    "read_only": "Clients can only read during the copy.",
    "attached_to_instance": "The share is attached to an instance, by virtiofs: detach it before the cutover.",
    "locked": "The share has a resource lock, whose owner depends on it; it does not hinder a migration.",
    "locks_unknown": "This user may not list resource locks, so what they would tell is not known.",
    "disruptive": "The cutover disconnects clients: export locations change.",
    "no_cancel": "The driver can't cancel the migration.",
    "no_progress": "The driver can't tell how far the migration is.",
    "leftover_destination": "A share server is left of a migration that failed or was cancelled.",
    "addresses_freed": "A share server keeps its network addresses, and this release of Manila frees them.",
    "affinity": "An affinity hint of the share keeps it out of the pool.",
    "capacity_unknown": "A pool is used that does not report its capacity.",
    "filter_function": "A pool is used whose driver filters by a function of its own.",
    "driver_unknown": "Whether the driver can do it only the driver knows; Manila asks it after the start.",
    "other_driver": "Source and destination are of different vendors, and drivers migrate among their own.",
    "fallback": "If the driver can't do it, Manila goes on with a host-assisted migration, without a word.",
    "data_service_disabled": "manila-data is disabled: it copies, and can neither be watched nor cancelled.",
    "data_service_several": "There are several manila-data services: progress and cancel reach any of them.",
    "data_access_rule": "A client's access rule is, or may be, that of the Data Service, which deletes it.",
    "not_copied": "Some kinds of files and attributes are not copied as they are.",
    "mount_point_name": "If the share has a mount point name of its own, it loses it.",
    "quota_twice": "The share counts twice in the quota until the end, and for good if the driver fails.",
    "fills_source": "Something is migrating to the place that shall be emptied.",
    "exclude_unknown": "Something is excluded that is not there.",
    "group_unknown": "Something is listed in a cutover group that isn't to be moved.",
    "exclude_several": "A name that is excluded belongs to more than one share.",
    "empty_server": "A share server at the source has no shares: nothing that has to be moved.",
    "type_kept": "A share type is mapped, and its shares move with their share servers or as replicas, "
    "which keeps it.",
    "active_disabled": "The share is served from a disabled back end, so no replica can be added to it now.",
    "metadata_not_asked": "preserve_metadata is required, and can't be asked for with share servers.",
    "snapshot_unknown": "A snapshot shall be deleted that no share at the source has.",
    "snapshots_deleted": "Snapshots are deleted before their shares are copied, as asked.",
    "not_balanced": "A pool stays further away from the mean than a rebalance shall bring it.",
    "not_emptied": "A pool can't be emptied when pools are consolidated.",
    # Differences between a plan file and the cloud.
    "new": "Something is at the source that is not in the plan file.",
    "gone": "Something in the plan file is not at the source any more.",
    "not_possible": "It can't go where the plan file says any more.",
    "redirected": "It migrates to another place than the plan file says.",
}
"""Every code that a reason may have, with its meaning."""


SCHEDULER_DOWN = Reason(
    "scheduler_down", "no manila-scheduler is up and enabled, and only it knows the pools"
)

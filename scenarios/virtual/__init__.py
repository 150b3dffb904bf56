"""The virtual world: replicas, network, disks and clock in one process, all of it drawn from one seed."""

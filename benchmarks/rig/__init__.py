"""The load rig: a lean realtime service and lean callers, each a process, around one gateway."""

"""The PBFT core: pure, deterministic, without input or output (Castro and Liskov, OSDI 1999).

Messages and the time go in, an `Output` comes out; nothing here reads a clock, a file, a key or a
random number. `Replica` is where to begin reading.
"""

"""The media engine: one thread, one clock, a lane per call, and what each caller has heard."""

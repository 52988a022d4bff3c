"""Telephone audio in numbers: codecs, resamplers, tones and detectors, with no I/O."""

"""The portal in a real browser, over a real Flink."""

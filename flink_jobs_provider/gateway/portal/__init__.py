"""The portal: pages on which people look at jobs and act on them.

One more face of the gateway, over the same job service as its APIs. It decides nothing: what a job
may be asked for is decided where the APIs' requests are decided.
"""

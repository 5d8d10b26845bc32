"""What the jobs of a Flink cluster are: listed, one by one, their savepoints and their state.

The command line prints these answers, and the functions of the plugin return them.
"""

"""Settings of the gRPC channels between engine, program and provider."""

_LARGEST_MESSAGE = 1024 * 1024 * 400

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    # The children are on the same host: a proxy of the environment must not come between.
    ("grpc.enable_http_proxy", 0),
)

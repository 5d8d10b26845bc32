"""What the faces of the gateway share: reading requests, checking bodies, answering errors."""

"""The REST surface: OpenAI's API over HTTP and server-sent events, in front of any `trunkline.gateway.Gateway`."""

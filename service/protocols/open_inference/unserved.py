"""What Triton has and this service has not: what to do instead."""

SHARED_MEMORY = "shared memory is not served here: send the tensors with the request"
TRACE = "tracing is not set here: send the header `traceparent`, which the access log repeats (ACCESS_LOG_SAMPLE)"
LOGGING = "logging is not set here: the service's settings are environment variables"
GENERATE = "text is not generated here: use /infer"

UNSERVED = {
    "systemsharedmemory": SHARED_MEMORY,
    "cudasharedmemory": SHARED_MEMORY,
    "trace": TRACE,
    "logging": LOGGING,
    "generate": GENERATE,
    "generate_stream": GENERATE,
}  # by a part of the path
METHODS = {
    "TraceSetting": TRACE,
    "LogSettings": LOGGING,
    **{
        f"{kind}SharedMemory{call}": SHARED_MEMORY
        for kind in ("System", "Cuda")
        for call in ("Status", "Register", "Unregister")
    },
}

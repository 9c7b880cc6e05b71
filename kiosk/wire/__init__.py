"""PURE: what is said on the wire: topics, message schemas, data-channel schemas, limits."""

/** The `errno` values the userspace API answers with: Linux's, negative, on every platform alike. */
export const UAPI_OK = 0;
/** Input or output failed. */
export const UAPI_IO = -5;
/** No room for another peer (ENOSPC). */
export const UAPI_NO_SPACE = -28;
/** A key or value that does not exist (EINVAL). */
export const UAPI_INVALID = -22;
/** Not a line of the protocol at all (EPROTO). */
export const UAPI_PROTOCOL = -71;
/** The port belongs to somebody else (EADDRINUSE). */
export const UAPI_PORT_IN_USE = -98;

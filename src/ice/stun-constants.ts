/** Numbers of STUN (RFC 8489), TURN (RFC 8656) and ICE (RFC 8445). Nothing here is our own choice. */

/** RFC 8489 section 5: every message begins with a header of 20 bytes. */
export const STUN_HEADER_BYTES = 20;
export const TRANSACTION_ID_BYTES = 12;
/** RFC 8489 section 5. */
export const MAGIC_COOKIE = 0x2112a442;
/** RFC 8489 section 14: type and length before each attribute's value, padded to a multiple of 4 bytes. */
export const ATTRIBUTE_HEADER_BYTES = 4;

/** RFC 8489 section 5: the two bits of the class, as `classOf` gives them. */
export const CLASS_REQUEST = 0;
export const CLASS_INDICATION = 1;
export const CLASS_SUCCESS = 2;
export const CLASS_ERROR = 3;

/** RFC 8489 section 18.2. */
export const METHOD_BINDING = 0x001;
/** RFC 8656 section 17. */
export const METHOD_ALLOCATE = 0x003;
export const METHOD_REFRESH = 0x004;
export const METHOD_SEND = 0x006;
export const METHOD_DATA = 0x007;
export const METHOD_CREATE_PERMISSION = 0x008;
export const METHOD_CHANNEL_BIND = 0x009;

/** RFC 8489 section 18.3; below 0x8000 an attribute must be understood. */
export const MAPPED_ADDRESS = 0x0001;
export const USERNAME = 0x0006;
export const MESSAGE_INTEGRITY = 0x0008;
export const ERROR_CODE = 0x0009;
export const UNKNOWN_ATTRIBUTES = 0x000a;
export const REALM = 0x0014;
export const NONCE = 0x0015;
export const MESSAGE_INTEGRITY_SHA256 = 0x001c;
export const PASSWORD_ALGORITHM = 0x001d;
export const USERHASH = 0x001e;
export const XOR_MAPPED_ADDRESS = 0x0020;
export const PASSWORD_ALGORITHMS = 0x8002;
export const SOFTWARE = 0x8022;
export const ALTERNATE_SERVER = 0x8023;
export const FINGERPRINT = 0x8028;

/** RFC 8656 section 18. */
export const CHANNEL_NUMBER = 0x000c;
export const LIFETIME = 0x000d;
export const XOR_PEER_ADDRESS = 0x0012;
export const DATA = 0x0013;
export const XOR_RELAYED_ADDRESS = 0x0016;
export const REQUESTED_ADDRESS_FAMILY = 0x0017;
export const REQUESTED_TRANSPORT = 0x0019;
export const DONT_FRAGMENT = 0x001a;

/** RFC 8445 section 16.1. */
export const PRIORITY = 0x0024;
export const USE_CANDIDATE = 0x0025;
export const ICE_CONTROLLED = 0x8029;
export const ICE_CONTROLLING = 0x802a;

/** RFC 8489 section 14.1 and RFC 8656 section 18.6. */
export const STUN_FAMILY_IPV4 = 0x01;
export const STUN_FAMILY_IPV6 = 0x02;

/** RFC 8656 section 14, IANA's number of UDP. */
export const TRANSPORT_UDP = 17;

/** RFC 8489 section 14.8, RFC 8656 section 19, RFC 8445 section 16.2. */
export const ERROR_TRY_ALTERNATE = 300;
export const ERROR_BAD_REQUEST = 400;
export const ERROR_UNAUTHENTICATED = 401;
export const ERROR_FORBIDDEN = 403;
export const ERROR_UNKNOWN_ATTRIBUTE = 420;
export const ERROR_ALLOCATION_MISMATCH = 437;
export const ERROR_STALE_NONCE = 438;
export const ERROR_FAMILY_NOT_SUPPORTED = 440;
export const ERROR_WRONG_CREDENTIALS = 441;
export const ERROR_UNSUPPORTED_TRANSPORT = 442;
export const ERROR_PEER_FAMILY_MISMATCH = 443;
export const ERROR_ALLOCATION_QUOTA = 486;
export const ERROR_ROLE_CONFLICT = 487;
export const ERROR_SERVER = 500;
export const ERROR_INSUFFICIENT_CAPACITY = 508;

/** RFC 8489 section 18.5.1: PASSWORD-ALGORITHM numbers. */
export const ALGORITHM_MD5 = 0x0001;
export const ALGORITHM_SHA256 = 0x0002;

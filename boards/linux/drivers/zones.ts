import type { ZoneIndex, ZoneName } from '../../../src/packet/endpoint-text.js';
import { interfaceIndex, interfaceName } from './netlink.js';

/** IPv6 zones are interfaces here (RFC 4007 section 6). */
export const zoneIndex: ZoneIndex = (zone) => interfaceIndex(zone) || undefined;
export const zoneName: ZoneName = (index) => interfaceName(index);

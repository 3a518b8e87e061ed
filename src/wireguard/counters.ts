/** Every way a packet can end other than being delivered, counted. Silent on the wire, told to the owner. */
export class DeviceCounters {
  // From the network.
  /** No WireGuard message: size, type or reserved bytes. */
  malformed = 0;
  /** Receiver index of no handshake or key pair. */
  unknownIndex = 0;
  /** Under a key pair past Reject-After-Time or erased. */
  expiredKeys = 0;
  /** Tag did not verify. */
  badTag = 0;
  replayed = 0;
  /** Decrypted, but not an IP packet of consistent length. */
  badPacket = 0;
  /** Decrypted, but the inner source address is not the peer's. */
  wrongSource = 0;
  keepalivesReceived = 0;
  // Handshakes.
  badMac = 0;
  handshakeQueueFull = 0;
  rateLimited = 0;
  cookieRepliesSent = 0;
  cookieRepliesReceived = 0;
  /** Valid mac1, but of no configured peer, or forged. */
  refusedInitiations = 0;
  replayedInitiations = 0;
  floodedInitiations = 0;
  refusedResponses = 0;
  initiationsSent = 0;
  responsesSent = 0;
  handshakesCompleted = 0;
  // From the tunnel device.
  /** No peer's AllowedIPs hold the destination. */
  noRoute = 0;
  noEndpoint = 0;
  /** Dropped from a full staging queue, or with it when the handshake was given up. */
  stagedDropped = 0;
  tooLarge = 0;
  outboxFull = 0;
}

/** What the pump did and dropped, beside the device's own counters. */
export class OffloadCounters {
  /** Frames read from TUN, and the packets they were cut into. */
  framesRead = 0;
  packetsCut = 0;
  /** Frames whose offload header does not fit the packet, or that hold no IP packet. */
  badFrames = 0;
  /** System calls that sent datagrams, and those among them that carried several. */
  sends = 0;
  segmentedSends = 0;
  sendDropped = 0;
  sendFailed = 0;
  /** Buffers the UDP socket gave us, and those among them with several datagrams in one. */
  buffersReceived = 0;
  coalescedBuffers = 0;
  /** Buffers with several datagrams of which no stride opened any. */
  strideUnknown = 0;
  /** Frames written to TUN and packets in them. */
  framesWritten = 0;
  packetsDelivered = 0;
  /** Frames the kernel did not take: the interface is down, or the packet is malformed. */
  tunnelDropped = 0;
  /** Times that reading from TUN waited for the UDP socket. */
  sendWaits = 0;
}

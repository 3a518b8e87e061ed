/*
 * The native part of an Offload (offload.ts). Its methods lie in offload.c (its life and its sessions), from-tun.c
 * (packets to be sealed) and to-tun.c (messages to be opened).
 */
#ifndef CLOUDBRIDGE_OFFLOAD_H
#define CLOUDBRIDGE_OFFLOAD_H

#include "buffers.h"
#include "inward.h"
#include "merge.h"
#include "network-order.h"
#include "outward.h"
#include "segment.h"
#include "sessions.h"

#define FRAME_BYTES (65535 + CB_VNET_BYTES)
/* Frames read at a time, and the bytes for them: many small ones or a few large. */
#define FRAMES 32
#define FRAMES_BYTES (4 * FRAME_BYTES)
/* So much of a packet is shown to TypeScript: an IPv6 header. */
#define HEADER_BYTES IPV6_HEADER

typedef struct {
	int tun;
	cb_sessions sessions;
	/* Frames read, and those of them that are at hand: neighbours with one destination. */
	uint32_t frames, first, end;
	cb_super super[FRAMES];
	/* The buffer at hand: which, and where in it. */
	uint32_t current, at;
	/* The inner source address that was last found to be its sender's; family 0: none. */
	uint8_t knownFamily, knownSource[16];
	uint32_t tunnelDropped, framesWritten, badFrames;
	/* Lives in the Udp object; NULL while none is attached. */
	cb_local_addresses *local;
	uint8_t frame[FRAMES_BYTES];
	cb_outward outward;
	cb_inward inward;
	cb_merger merger;
} cb_offload;

/* The session in this slot; throws when there is none. */
cb_session *cb_offload_session(xsMachine *the, const cb_offload *self, uint32_t slot);

#endif

/*
 * Cuts what TUN hands over with segmentation offload into packets for the wire. The kernel's header (virtio 1.2,
 * section 5.1.6) is checked against the packet before anything is touched: what does not fit is refused.
 */
#ifndef CLOUDBRIDGE_SEGMENT_H
#define CLOUDBRIDGE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

/* struct virtio_net_hdr without the count of merged buffers. */
#define CB_VNET_BYTES 10

typedef struct {
	uint8_t *packet;
	size_t length;
	int version;
	/* 0: nothing to cut. */
	uint8_t type;
	/* Where TCP or UDP begins; all headers; payload bytes of a segment. */
	size_t transport, headers, piece;
	uint32_t segments;
} cb_super;

/* Takes up a frame, `length` bytes with its header; the number of segments, 0 when it is refused. */
uint32_t cb_super_take(cb_super *super, uint8_t *frame, size_t length);
size_t cb_super_segment_length(const cb_super *super, uint32_t index);
/* Writes segment `index`, complete with lengths, numbers and checksums; its length. */
size_t cb_super_write(const cb_super *super, uint32_t index, uint8_t *to);

#endif

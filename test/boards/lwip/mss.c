/* The clamp of the chip's tunnel (boards/native/esp32/lwip/mss-clamp.c). One line a check; lwip.test.ts reads them. */

#include <stdio.h>
#include <string.h>

#include "mss-clamp.h"

static int failures;

static void check(int good, const char *name)
{
	printf("%s %s\n", good ? "ok" : "FAILED", name);
	if (!good) failures++;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

static unsigned long sum(const uint8_t *at, size_t length)
{
	unsigned long total = 0;
	for (size_t i = 0; i + 1 < length; i += 2) total += get16(at + i);
	return length & 1 ? total + (unsigned long)(at[length - 1] << 8) : total;
}

/* RFC 9293 section 3.1, over the whole segment; 0xffff when its checksum is right. */
static unsigned tcp_sum(const uint8_t *packet, size_t length)
{
	const int six = packet[0] >> 4 == 6;
	const size_t header = six ? 40 : (size_t)(packet[0] & 15) * 4;
	unsigned long total = (six ? sum(packet + 8, 32) : sum(packet + 12, 8)) + 6 + (length - header) + sum(packet + header, length - header);
	while (total >> 16) total = (total & 0xffff) + (total >> 16);
	return (unsigned)total;
}

static uint8_t packet[256], before[256];

/* A TCP packet with these options (a multiple of 4 bytes) and three bytes of data; its length. */
static size_t tcp(int version, size_t ipOptions, unsigned flags, const uint8_t *options, size_t optionBytes)
{
	const size_t header = version == 4 ? 20 + ipOptions : 40, length = header + 20 + optionBytes + 3;
	memset(packet, 0, sizeof packet);
	if (version == 4) {
		packet[0] = (uint8_t)(0x40 | header / 4);
		put16(packet + 2, (unsigned)length);
		packet[8] = 64;
		packet[9] = 6;
		memcpy(packet + 12, "\xc0\xa8\x04\x02\x0a\x09\x00\x07", 8);
	} else {
		packet[0] = 0x60;
		put16(packet + 4, (unsigned)(length - 40));
		packet[6] = 6;
		packet[7] = 64;
		for (int i = 8; i < 40; i++) packet[i] = (uint8_t)(i * 7);
	}
	uint8_t *at = packet + header;
	put16(at, 40000);
	put16(at + 2, 80);
	at[12] = (uint8_t)((20 + optionBytes) / 4 << 4);
	at[13] = (uint8_t)flags;
	memcpy(at + 20, options, optionBytes);
	memcpy(at + 20 + optionBytes, "abc", 3);
	put16(at + 16, ~tcp_sum(packet, length) & 0xffff);
	memcpy(before, packet, sizeof packet);
	return length;
}

static int untouched(size_t length, uint16_t mtu)
{
	cb_clamp_mss(packet, length, mtu);
	return memcmp(packet, before, sizeof packet) == 0;
}

static const uint8_t MSS1460[] = { 2, 4, 0x05, 0xb4 };
enum { SYN = 2, ACK = 16 };

int main(void)
{
	size_t length = tcp(4, 0, SYN, MSS1460, 4);
	check(tcp_sum(packet, length) == 0xffff, "the packets of this test are right");
	cb_clamp_mss(packet, length, 1420);
	check(get16(packet + 42) == 1380, "1460 becomes 1380 over IPv4 in a tunnel of 1420");
	check(tcp_sum(packet, length) == 0xffff, "and the checksum stays right");
	check(memcmp(packet + 44, "abc", 3) == 0 && get16(packet + 2) == length, "nothing else changes");

	length = tcp(6, 0, SYN | ACK, MSS1460, 4);
	cb_clamp_mss(packet, length, 1420);
	check(get16(packet + 62) == 1360 && tcp_sum(packet, length) == 0xffff, "1360 over IPv6, of an answer, too");

	const uint8_t behind[] = { 1, 1, 4, 2, 1, 2, 4, 0x05, 0xb4, 1, 1, 0 };
	length = tcp(4, 0, SYN, behind, 12);
	cb_clamp_mss(packet, length, 1420);
	check(get16(packet + 47) == 1380 && tcp_sum(packet, length) == 0xffff, "behind other options, at an odd place");

	length = tcp(4, 8, SYN, MSS1460, 4);
	cb_clamp_mss(packet, length, 1420);
	check(get16(packet + 50) == 1380 && tcp_sum(packet, length) == 0xffff, "behind options of IPv4");

	const uint8_t small[] = { 2, 4, 0x02, 0x18 };
	check(untouched(tcp(4, 0, SYN, small, 4), 1420), "a smaller size stays");
	check(untouched(tcp(4, 0, ACK, MSS1460, 4), 1420), "what is no SYN stays");
	check(untouched(tcp(4, 0, SYN, (const uint8_t *)"\0\0\0\0", 4), 1420), "a SYN without the option stays");
	check(untouched(tcp(4, 0, SYN, (const uint8_t *)"\0\2\4\5\264\0\0\0", 8), 1420), "what follows the end of the options stays");
	check(untouched(tcp(4, 0, SYN, (const uint8_t *)"\1\1\1\2", 4), 1420), "an option cut short is not read beyond");
	check(untouched(tcp(4, 0, SYN, (const uint8_t *)"\3\0\2\4\5\264\0\0", 8), 1420), "an option of no length ends the search");
	length = tcp(4, 0, SYN, MSS1460, 4);
	put16(packet + 6, 100);
	memcpy(before, packet, sizeof packet);
	check(untouched(length, 1420), "a fragment stays");
	length = tcp(4, 0, SYN, MSS1460, 4);
	packet[9] = 17;
	memcpy(before, packet, sizeof packet);
	check(untouched(length, 1420), "UDP stays");
	length = tcp(4, 0, SYN, MSS1460, 4);
	packet[32] = 0xf0;
	memcpy(before, packet, sizeof packet);
	check(untouched(length, 1420), "a header longer than the packet stays");
	int all = 1;
	for (size_t cut = 0; cut < 44; cut++) {
		tcp(4, 0, SYN, MSS1460, 4);
		all &= untouched(cut, 1420);
	}
	check(all, "no packet cut short is touched");
	return failures != 0;
}

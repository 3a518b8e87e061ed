/*
 * Random bytes from the chip's generator. It has noise of its own only while the radio is on; boards without radio feed
 * it from the second source the IDF has for this, once and for good (they use neither Wi-Fi nor the converter).
 */

#include "esp_random.h"
#include "mc.defines.h"
#include "random.h"

#if MODDEF_CLOUDBRIDGE_NORADIO
#include "bootloader_random.h"

static int noisy;
#endif

int cb_random(void *out, size_t length)
{
#if MODDEF_CLOUDBRIDGE_NORADIO
	if (!noisy) {
		bootloader_random_enable();
		noisy = 1;
	}
#endif
	esp_fill_random(out, length);
	return 1;
}

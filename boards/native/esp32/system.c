/* The functions of system.ts: clocks, console, why the chip restarted, and its watchdog. */

#include <stdio.h>
#include <sys/time.h>

#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "xsmc.h"

void xs_chip_clock_monotonic(xsMachine *the)
{
	xsmcSetNumber(xsResult, (double)esp_timer_get_time() / 1000);
}

/* Begins at 1970 until somebody sets it. */
void xs_chip_clock_wall(xsMachine *the)
{
	struct timeval now;
	gettimeofday(&now, NULL);
	xsmcSetNumber(xsResult, (double)now.tv_sec * 1000 + (double)now.tv_usec / 1000);
}

/* (text): to the serial console; a debug build's console belongs to the debugger, which gets it in its own way. */
void xs_chip_print(xsMachine *the)
{
#ifdef mxDebug
	xsTrace(xsmcToString(xsArg(0)));
#else
	fputs(xsmcToString(xsArg(0)), stdout);
	fflush(stdout);
#endif
}

/*
 * Whether somebody pressed a key at the serial console since this was last asked. Without a driver of its own the IDF's
 * console gives what is there and does not wait; a debug build's belongs to the debugger.
 */
void xs_chip_key_pressed(xsMachine *the)
{
	int pressed = 0;
#ifndef mxDebug
	while (fgetc(stdin) != EOF) pressed = 1;
	clearerr(stdin);
#endif
	xsmcSetBoolean(xsResult, pressed);
}

/* Whether the last run ended by a crash or a watchdog. */
void xs_chip_crashed(xsMachine *the)
{
	switch (esp_reset_reason()) {
		/* An exception that nobody caught makes the SDK restart the chip; nothing else here does. */
		case ESP_RST_SW:
		case ESP_RST_PANIC:
		case ESP_RST_INT_WDT:
		case ESP_RST_TASK_WDT:
		case ESP_RST_WDT:
			xsmcSetTrue(xsResult);
			break;
		default:
			xsmcSetFalse(xsResult);
	}
}

static esp_task_wdt_user_handle_t user;

/* From now on the chip restarts unless it is fed in time (CONFIG_ESP_TASK_WDT_TIMEOUT_S). False: there is none. */
void xs_chip_watchdog_begin(xsMachine *the)
{
	xsmcSetBoolean(xsResult, user != NULL || esp_task_wdt_add_user("tunnel", &user) == ESP_OK);
}

void xs_chip_watchdog_feed(xsMachine *the)
{
	(void)the;
	if (user != NULL) esp_task_wdt_reset_user(user);
}

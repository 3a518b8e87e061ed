/*
 * The functions of store.ts: values in the chip's non-volatile storage. Writing a blob over a blob is atomic there: after
 * a power cut one of the two is found, never neither. (The SDK's preferences delete first.)
 */

#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "nvs.h"

#define NAMESPACE "cloudbridge"
/* NVS_KEY_NAME_MAX_SIZE of the IDF, zero byte included. */
#define KEY_BYTES 16

/* (name): the value as an ArrayBuffer, undefined, or the IDF's error number. A text counts without its zero byte. */
void xs_store_get(xsMachine *the)
{
	char key[KEY_BYTES];
	nvs_handle_t handle;
	size_t length = 0;
	int text = 0;
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	esp_err_t error = nvs_open(NAMESPACE, NVS_READONLY, &handle);
	if (error == ESP_ERR_NVS_NOT_FOUND) return;
	if (error == ESP_OK) {
		error = nvs_get_blob(handle, key, NULL, &length);
		if (error != ESP_OK) {
			text = 1;
			error = nvs_get_str(handle, key, NULL, &length);
		}
		uint8_t *value = error == ESP_OK ? malloc(length + 1) : NULL;
		if (error == ESP_OK && value == NULL) error = ESP_ERR_NO_MEM;
		if (error == ESP_OK)
			error = text ? nvs_get_str(handle, key, (char *)value, &length) : nvs_get_blob(handle, key, value, &length);
		nvs_close(handle);
		if (error == ESP_OK) {
			if (text && length > 0) length--;
			xsTry {
				xsmcSetArrayBuffer(xsResult, value, (xsIntegerValue)length);
			}
			xsCatch {
				free(value);
				xsThrow(xsException);
			}
		}
		if (value != NULL) {
			memset(value, 0, length);
			free(value);
		}
	}
	if (error != ESP_OK && error != ESP_ERR_NVS_NOT_FOUND) xsmcSetInteger(xsResult, error);
}

/* (name, bytes): 0 or the IDF's error number. It is in flash when this returns. */
void xs_store_set(xsMachine *the)
{
	char key[KEY_BYTES];
	nvs_handle_t handle;
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	const cb_buffer value = cb_readable(the, &xsArg(1));
	esp_err_t error = nvs_open(NAMESPACE, NVS_READWRITE, &handle);
	if (error == ESP_OK) {
		error = nvs_set_blob(handle, key, value.bytes, value.length);
		if (error == ESP_OK) error = nvs_commit(handle);
		nvs_close(handle);
	}
	xsmcSetInteger(xsResult, error);
}

/* (name): 0 or the IDF's error number. */
void xs_store_delete(xsMachine *the)
{
	char key[KEY_BYTES];
	nvs_handle_t handle;
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	esp_err_t error = nvs_open(NAMESPACE, NVS_READWRITE, &handle);
	if (error == ESP_OK) {
		error = nvs_erase_key(handle, key);
		if (error == ESP_OK) error = nvs_commit(handle);
		nvs_close(handle);
	}
	xsmcSetInteger(xsResult, error == ESP_ERR_NVS_NOT_FOUND ? ESP_OK : error);
}

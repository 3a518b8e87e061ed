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

/* The value of `key` in memory of its own; a text counts without its zero byte. */
static esp_err_t read_value(const char *key, uint8_t **value, size_t *length)
{
	nvs_handle_t handle;
	esp_err_t error = nvs_open(NAMESPACE, NVS_READONLY, &handle);
	if (error != ESP_OK) return error;
	int text = 0;
	error = nvs_get_blob(handle, key, NULL, length);
	if (error != ESP_OK) {
		text = 1;
		error = nvs_get_str(handle, key, NULL, length);
	}
	if (error == ESP_OK) {
		*value = malloc(*length + 1);
		if (*value == NULL) error = ESP_ERR_NO_MEM;
		else if (text) error = nvs_get_str(handle, key, (char *)*value, length);
		else error = nvs_get_blob(handle, key, *value, length);
	}
	nvs_close(handle);
	if (error == ESP_OK && text && *length > 0) --*length;
	return error;
}

/* (name): the value as an ArrayBuffer, undefined, or the IDF's error number. */
void xs_store_get(xsMachine *the)
{
	char key[KEY_BYTES];
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	uint8_t *value = NULL;
	size_t length = 0;
	const esp_err_t error = read_value(key, &value, &length);
	if (error == ESP_OK) xsmcSetArrayBuffer(xsResult, value, (xsIntegerValue)length);
	else if (error != ESP_ERR_NVS_NOT_FOUND) xsmcSetInteger(xsResult, error);
	if (value != NULL) {
		memset(value, 0, length);
		free(value);
	}
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

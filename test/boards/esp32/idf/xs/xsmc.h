#pragma once
#include <stddef.h>
#include <stdint.h>
typedef struct { uint32_t data[4]; } xsSlot;
typedef struct xsMachineRecord { xsSlot frame[16]; } xsMachine;
typedef int32_t xsIntegerValue;
typedef uint32_t xsUnsignedValue;
typedef double xsNumberValue;
typedef int8_t xsBooleanValue;
#define xsThis (the->frame[0])
#define xsResult (the->frame[1])
#define xsArg(i) (the->frame[2 + (i)])
xsIntegerValue xs_to_integer(xsMachine *the, xsSlot *slot);
xsUnsignedValue xs_to_unsigned(xsMachine *the, xsSlot *slot);
xsNumberValue xs_to_number(xsMachine *the, xsSlot *slot);
char *xs_to_string(xsMachine *the, xsSlot *slot);
void xs_to_string_buffer(xsMachine *the, xsSlot *slot, char *buffer, xsUnsignedValue size);
int xs_test(xsMachine *the, xsSlot *slot);
void xs_set_boolean(xsMachine *the, xsSlot *slot, xsBooleanValue value);
void xs_set_integer(xsMachine *the, xsSlot *slot, xsIntegerValue value);
void xs_set_unsigned(xsMachine *the, xsSlot *slot, xsUnsignedValue value);
void xs_set_number(xsMachine *the, xsSlot *slot, xsNumberValue value);
void xs_set_array_buffer(xsMachine *the, xsSlot *slot, void *data, xsIntegerValue size);
void *xs_get_host_data(xsMachine *the, xsSlot *slot);
void xs_set_host_data(xsMachine *the, xsSlot *slot, void *data);
xsIntegerValue _xsmcGetBuffer(xsMachine *the, xsSlot *slot, void **data, xsUnsignedValue *count, xsBooleanValue writable);
_Noreturn void xs_throw(xsMachine *the, const char *format, ...) __attribute__((format(printf, 2, 3)));
void xs_remember(xsMachine *the, xsSlot *slot);
void xs_call(xsMachine *the, xsSlot slot, int id);
#define xsmcToInteger(slot) xs_to_integer(the, &slot)
#define xsmcTest(slot) xs_test(the, &slot)
#define xsmcToUnsigned(slot) xs_to_unsigned(the, &slot)
#define xsmcToNumber(slot) xs_to_number(the, &slot)
#define xsmcToString(slot) xs_to_string(the, &slot)
#define xsmcToStringBuffer(slot, buffer, size) xs_to_string_buffer(the, &slot, buffer, size)
#define xsmcSetBoolean(slot, value) xs_set_boolean(the, &slot, value)
#define xsmcSetTrue(slot) xs_set_boolean(the, &slot, 1)
#define xsmcSetFalse(slot) xs_set_boolean(the, &slot, 0)
#define xsmcSetInteger(slot, value) xs_set_integer(the, &slot, value)
#define xsmcSetUnsigned(slot, value) xs_set_unsigned(the, &slot, value)
#define xsmcSetNumber(slot, value) xs_set_number(the, &slot, value)
#define xsmcSetArrayBuffer(slot, data, size) xs_set_array_buffer(the, &slot, data, size)
#define xsmcGetHostData(slot) xs_get_host_data(the, &slot)
#define xsmcSetHostData(slot, data) xs_set_host_data(the, &slot, data)
#define xsRangeError(...) xs_throw(the, __VA_ARGS__)
#define xsUnknownError(...) xs_throw(the, __VA_ARGS__)
#define xsRemember(slot) xs_remember(the, &(slot))
#define xsForget(slot) xs_remember(the, &(slot))
#define xsBeginHost(machine) do { (void)(machine)
#define xsEndHost(machine) } while (0)
#define xsCall0_noResult(slot, id) xs_call(the, slot, id)
int xs_type_of(xsMachine *the, xsSlot *slot);
void xs_set_string(xsMachine *the, xsSlot *slot, const char *text);
#define xsUndefinedType 0
#define xsmcTypeOf(slot) xs_type_of(the, &slot)
#define xsmcSetString(slot, text) xs_set_string(the, &slot, text)

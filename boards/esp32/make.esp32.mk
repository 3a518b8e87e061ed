# The SDK's rules for ESP32, with one more component of the IDF: the one that puts our routing hook into lwIP.

include $(MODDABLE)/tools/mcconfig/make.esp32.mk

IDF_RECONFIGURE_CMD += -D EXTRA_COMPONENT_DIRS=$(BOARDS)/esp32/component

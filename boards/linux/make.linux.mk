# The SDK's rules for Linux compile everything; this adds a plain executable to what they link, in place of the
# simulator's plug-in, and starts nothing.

include $(MODDABLE)/tools/mcconfig/make.lin.mk

START_XSBUG =
START_SIMULATOR =
KILL_SERIAL2XSBUG =
KILL_SIMULATOR =

C_FLAGS += -I$(CLOUDBRIDGE)/boards/native/crypto $(shell pkg-config --cflags openssl)
LINK_LIBRARIES += -ldl

PROGRAM = $(BIN_DIR)/cloudbridge-gateway

build: $(PROGRAM)

# At a fixed address the preloaded objects point at each other as they lie in the file. Moved, each of them would be
# written to at the start: 1.3 MB more of memory.
$(PROGRAM): $(XS_OBJECTS) $(TMP_DIR)/mc.xs.c.o $(TMP_DIR)/mc.resources.c.o $(OBJECTS)
	@echo "# ld" $(@F)
	$(CC) -no-pie $^ $(LINK_LIBRARIES) -o $@

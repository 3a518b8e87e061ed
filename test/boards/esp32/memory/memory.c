/* What the machine uses, after a collection: the engine's own counts (xsAll.h is not for hosts, but tells them). */

#include "xsAll.h"

/* (result): buffer of float64: slots, bytes of a slot, bytes of chunks, most slots ever, most bytes of chunks ever. */
int _xsmcGetBuffer(txMachine *the, txSlot *slot, void **data, txUnsigned *count, txBoolean writable);

void xs_measure_memory(txMachine *the)
{
	fxCollectGarbage(the);
	void *data;
	txUnsigned size;
	_xsmcGetBuffer(the, mxArgv(0), &data, &size, 1);
	double *out = data;
	out[0] = (double)the->currentHeapCount;
	out[1] = (double)sizeof(txSlot);
	out[2] = (double)the->currentChunksSize;
	out[3] = (double)the->peakHeapCount;
	out[4] = (double)the->peakChunksSize;
}

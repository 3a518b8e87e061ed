#pragma once
#define xsID_wake 1

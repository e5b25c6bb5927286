// Which target kernels are being compiled for: SFUMATO_NAMESPACE is the namespace of its vectors,
// SFUMATO_TARGET the attribute of functions that use them. every_target.hpp names one target after
// the other; a kernel that is compiled alone is for the portable one.
#ifndef SFUMATO_NAMESPACE
#include "sfumato/cpu/kernels/portable.hpp"
#define SFUMATO_NAMESPACE portable
#define SFUMATO_TARGET
#endif

#ifndef SFUMATO_INLINE
#include "sfumato/cpu/kernels/targets.hpp"
#define SFUMATO_INLINE SFUMATO_TARGET SFUMATO_ALWAYS_INLINE
#endif

#pragma once

/// Which sanitizer a test was compiled with, for what it can't do.
#if defined(__has_feature)
#define SFUMATO_HAS_FEATURE(feature) __has_feature(feature)
#else
#define SFUMATO_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SFUMATO_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__) || SFUMATO_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

/* Is this compiled with AddressSanitizer? gcc and clang say so in different ways. For tests alone
 * that would take minutes there, or that measure memory: what the sanitizer adds is theirs to
 * allow for. */
#ifndef CHIRR_TESTS_SUPPORT_SANITIZER_H
#define CHIRR_TESTS_SUPPORT_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#ifndef ADDRESS_SANITIZER
#define ADDRESS_SANITIZER 0
#endif

#endif

#undef assert

#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
__attribute__((noreturn)) void assertion_failed(const char *condition, const char *file, int line);
#define assert(condition) \
    ((condition) ? (void)0 : assertion_failed(#condition, __FILE__, __LINE__))
#endif

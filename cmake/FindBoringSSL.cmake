# Finds BoringSSL, and nothing else that calls itself libssl.
#
# Debian ships it as android-libboringssl-dev: headers under include/android, libraries in an android/ folder
# of the library directory. A newer build of one's own is taken with -DBoringSSL_ROOT=DIR.
# Defines BoringSSL::ssl and BoringSSL::crypto (full paths, so that the linker never falls back on OpenSSL)
# and BoringSSL_LIBRARY_DIR for the RUNPATH.

find_path(BoringSSL_INCLUDE_DIR openssl/is_boringssl.h
          HINTS ${BoringSSL_ROOT} PATH_SUFFIXES include include/android android)
find_library(BoringSSL_SSL_LIBRARY NAMES ssl
             HINTS ${BoringSSL_ROOT} ${BoringSSL_INCLUDE_DIR}/../lib
             PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android
             PATH_SUFFIXES lib build NO_DEFAULT_PATH)
find_library(BoringSSL_CRYPTO_LIBRARY NAMES crypto
             HINTS ${BoringSSL_ROOT} ${BoringSSL_INCLUDE_DIR}/../lib
             PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android
             PATH_SUFFIXES lib build NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoringSSL REQUIRED_VARS
  BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY BoringSSL_INCLUDE_DIR)

if(BoringSSL_FOUND AND NOT TARGET BoringSSL::ssl)
  get_filename_component(BoringSSL_LIBRARY_DIR ${BoringSSL_SSL_LIBRARY} DIRECTORY)
  foreach(part ssl crypto)
    string(TOUPPER ${part} upper)
    add_library(BoringSSL::${part} UNKNOWN IMPORTED)
    set_target_properties(BoringSSL::${part} PROPERTIES
      IMPORTED_LOCATION ${BoringSSL_${upper}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${BoringSSL_INCLUDE_DIR})
  endforeach()
  target_link_libraries(BoringSSL::ssl INTERFACE BoringSSL::crypto)
endif()

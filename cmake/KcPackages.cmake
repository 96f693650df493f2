# Libraries, all from Debian. cmake/packages.txt names the packages that the launcher installs.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SNAPPY REQUIRED IMPORTED_TARGET snappy)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)

# Debian's libzookeeper-mt-dev has no .pc file.
find_path(ZOOKEEPER_INCLUDE zookeeper/zookeeper.h REQUIRED)
find_library(ZOOKEEPER_LIBRARY zookeeper_mt REQUIRED)
add_library(ZooKeeper::mt INTERFACE IMPORTED)
target_include_directories(ZooKeeper::mt SYSTEM INTERFACE ${ZOOKEEPER_INCLUDE})
target_compile_definitions(ZooKeeper::mt INTERFACE THREADED)
target_link_libraries(ZooKeeper::mt INTERFACE ${ZOOKEEPER_LIBRARY} Threads::Threads)

# RocksDB is loaded when a stream job asks for it (stream/rocks.h): only its header is used here, and
# the name under which the loader knows the library.
find_path(ROCKSDB_INCLUDE rocksdb/c.h REQUIRED)
find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
file(REAL_PATH ${ROCKSDB_LIBRARY} KC_ROCKSDB_SONAME)
string(REGEX REPLACE ".*/(librocksdb\\.so\\.[0-9]+\\.[0-9]+).*" "\\1" KC_ROCKSDB_SONAME
  ${KC_ROCKSDB_SONAME})

# Bundles the page (ui/): Debian's esbuild.
find_program(KC_ESBUILD esbuild REQUIRED)

# How Debian packages differ from an installation in /usr/local: manual pages are compressed, without a date, so that two builds
# are the same; completions for zsh have a folder for packages.
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.[1-9])
list(FILTER pages INCLUDE REGEX "/share/man/man[1-9]/")
foreach(page ${pages})
  execute_process(COMMAND gzip -9nf ${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(GLOB_RECURSE completions ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/_relayd)
foreach(file ${completions})
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(REPLACE_FILENAME folder vendor-completions OUTPUT_VARIABLE packaged)
  file(RENAME ${folder} ${packaged})
endforeach()

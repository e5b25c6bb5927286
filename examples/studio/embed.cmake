# Makes a source of the page's files: cmake -D OUT=studio_page.cpp -D FOLDER=examples/studio -P embed.cmake
set(text "#include \"studio/page.hpp\"\n\nnamespace studio {\n\n")
foreach(kind IN ITEMS Html Css Js)
  string(TOLOWER "${kind}" ending)
  file(READ "${FOLDER}/page.${ending}" content)
  string(APPEND text "const std::string_view kPage${kind} = R\"page(${content})page\";\n\n")
endforeach()
string(APPEND text "}  // namespace studio\n")
file(WRITE "${OUT}" "${text}")
